/**
 * Fire alarm system 火灾报警系统 (requirements 4 B, SX 7.2.7): read only. The gateway never commands a panel, and a link to
 * it that is lost is an alarm of its own, never "no fire" (reliability.md F6).
 */
import { Type } from 'typebox';
import { defineScenario } from './contract.ts';
import { offline } from './parts.ts';
import { says } from './words.ts';

const evacuate = { zh: '引导疏散，不乘电梯', en: 'Evacuate by the stairs' };
const call = { zh: '确认火情拨打 119', en: 'Fire confirmed: call 119' };

export const fireAlarm = defineScenario({
  id: 'fire-alarm',
  version: 1,
  title: { zh: '火灾报警系统', en: 'Fire alarm system' },
  category: 'gh-safety',
  icon: 'fire-extinguisher',
  roles: { panel: { zh: '火灾报警控制器', en: 'Fire alarm panel' } },
  telemetry: {
    fire: Type.Boolean(says('The fire output of the panel.', '火警输出')),
    detectorsInAlarm: Type.Integer({ minimum: 0, ...says('Detectors of the zone in alarm.', '报警探测器数') }),
    panelFault: Type.Boolean(says('The fault output of the panel.', '控制器故障')),
    lineFault: Type.Boolean(says('The supervised line to the panel is cut or shorted.', '信号线路故障')),
  },
  events: {},
  alarms: {
    offline: {
      ...offline,
      words: { zh: '消防信号中断', en: 'Fire link lost' },
      severity: 'critical',
      priority: 1,
      why: { zh: '中断期间着火收不到信号', en: 'A fire meanwhile would not be heard of' },
      behindParent: false, // told even where the switch in front of it is told, too
      hint: { zh: '收不到火警信号，不等于没有火警', en: 'No fire signal can be heard: that is not "no fire"' },
      steps: [
        { zh: '派人到消控室值守', en: 'Send somebody to the fire control room, to stay' },
        { zh: '立即通知消防维保', en: 'Call the fire maintenance firm now' },
      ],
    },
    lineFault: {
      words: { zh: '消防信号线路故障', en: 'Fire signal line fault' },
      severity: 'critical',
      priority: 1,
      why: { zh: '中断期间着火收不到信号', en: 'A fire meanwhile would not be heard of' },
      hint: { zh: '到控制器的线路断开或短路', en: 'The line to the panel is cut or shorted' },
      steps: [
        { zh: '派人到消控室值守', en: 'Send somebody to the fire control room, to stay' },
        { zh: '立即通知消防维保', en: 'Call the fire maintenance firm now' },
      ],
      when: { point: 'lineFault', equals: true },
    },
    fire: {
      words: { zh: '火警', en: 'Fire' },
      severity: 'critical',
      priority: 1,
      why: { zh: '火灾在几分钟内危及生命', en: 'A fire threatens lives within minutes' },
      latching: true,
      clearsFalse: true,
      hint: { zh: '控制器确认火警', en: 'The panel confirms a fire' },
      steps: [
        { zh: '看影像并派人到现场', en: 'Look at the cameras, send somebody' },
        call,
        evacuate,
        { zh: '打开消防通道迎接消防车', en: 'Clear the way for the fire engine' },
      ],
      when: { point: 'fire', equals: true },
    },
    twoDetectors: {
      words: { zh: '两个探测器同时报警', en: 'Two detectors in alarm' },
      severity: 'critical',
      priority: 1,
      why: { zh: '火灾在几分钟内危及生命', en: 'A fire threatens lives within minutes' },
      latching: true,
      clearsFalse: true,
      hint: { zh: '同一区域两个探测器报警，按火警处理', en: 'Two detectors of one zone: it counts as fire' },
      steps: [{ zh: '看影像并派人到现场', en: 'Look at the cameras, send somebody' }, call, evacuate],
      when: { point: 'detectorsInAlarm', above: 1, clearAt: 0.5 },
    },
    panelFault: {
      words: { zh: '火灾报警控制器故障', en: 'Fire panel fault' },
      severity: 'major',
      priority: 2,
      why: { zh: '故障的控制器可能报不出火警', en: 'A faulty panel may not tell of a fire' },
      hint: { zh: '控制器自检报故障', en: 'The panel reports a fault of its own' },
      steps: [
        { zh: '到消控室查看控制器', en: 'Look at the panel' },
        { zh: '通知消防维保', en: 'Call the fire maintenance firm' },
      ],
      when: { point: 'panelFault', equals: true },
    },
  },
  commands: {},
});
