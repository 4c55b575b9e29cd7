/** Environment station 环境监测站 (requirements 3.4): weather, air and noise on one mast. */
import { Type } from 'typebox';
import { type AlarmKind, type Condition, defineScenario, type Severity } from './contract.ts';
import { offline } from './parts.ts';
import { says, type Words } from './words.ts';

/** One alarm of a limit: a person looks, nobody is in danger. */
const limit = (words: Words, severity: Severity, when: Condition): AlarmKind => ({
  words,
  severity,
  priority: 3,
  why: { zh: '没有人有危险，半小时内查看即可', en: 'Nobody is in danger; half an hour is soon enough' },
  hint: { zh: '数值超过设定的限值', en: 'The value is beyond its limit' },
  steps: [
    { zh: '看趋势，确认不是探头故障', en: 'Look at the trend; rule out a faulty sensor' },
    { zh: '通知物业', en: 'Tell the property office' },
  ],
  when,
});

export const environmentMonitoring = defineScenario({
  id: 'environment-monitoring',
  version: 1,
  title: { zh: '环境监测', en: 'Environment monitoring' },
  category: 'gh-env',
  icon: 'leaf',
  roles: { station: { zh: '监测站', en: 'Station' } },
  telemetry: {
    temperature: Type.Number({ minimum: -60, maximum: 80, ...says('Air temperature.', '温度', 'Cel') }),
    humidity: Type.Number({ minimum: 0, maximum: 100, ...says('Relative humidity.', '湿度', '%') }),
    pm25: Type.Number({ minimum: 0, maximum: 5000, ...says('PM2.5.', 'PM2.5', 'ug/m3') }),
    pm10: Type.Number({ minimum: 0, maximum: 5000, ...says('PM10.', 'PM10', 'ug/m3') }),
    uvIndex: Type.Number({ minimum: 0, maximum: 20, ...says('Ultraviolet index.', '紫外线指数', '1') }),
    pressure: Type.Number({ minimum: 300, maximum: 1200, ...says('Air pressure.', '气压', 'hPa') }),
    windSpeed: Type.Number({ minimum: 0, maximum: 100, ...says('Wind speed.', '风速', 'm/s') }),
    windDirection: Type.Number({ minimum: 0, maximum: 360, ...says('Wind from.', '风向', 'deg') }),
    rain: Type.Number({ minimum: 0, maximum: 500, ...says('Precipitation.', '降水强度', 'mm/h') }),
    co2: Type.Number({ minimum: 0, maximum: 20_000, ...says('Carbon dioxide.', '二氧化碳', '[ppm]') }),
    noise: Type.Number({ minimum: 0, maximum: 160, ...says('Noise, A-weighted.', '噪声', 'dB(A)') }),
  },
  events: {},
  alarms: {
    offline,
    pm25High: limit({ zh: 'PM2.5 超标', en: 'PM2.5 high' }, 'minor', {
      point: 'pm25',
      above: 75,
      clearAt: 70,
      forMs: 10_000,
    }),
    pm25Severe: limit({ zh: 'PM2.5 严重超标', en: 'PM2.5 severe' }, 'major', {
      point: 'pm25',
      above: 250,
      clearAt: 230,
      forMs: 10_000,
    }),
    noiseHigh: limit({ zh: '噪声超标', en: 'Noise high' }, 'minor', {
      point: 'noise',
      above: 70,
      clearAt: 65,
      forMs: 10_000,
    }),
    temperatureHigh: limit({ zh: '高温', en: 'Heat' }, 'minor', {
      point: 'temperature',
      above: 38,
      clearAt: 36,
      forMs: 10_000,
    }),
    temperatureLow: limit({ zh: '低温', en: 'Frost' }, 'minor', {
      point: 'temperature',
      below: -10,
      clearAt: -8,
      forMs: 10_000,
    }),
    humidityHigh: limit({ zh: '湿度过高', en: 'Humidity high' }, 'minor', {
      point: 'humidity',
      above: 95,
      clearAt: 90,
      forMs: 10_000,
    }),
  },
  commands: {
    setThreshold: {
      words: { zh: '设置限值', en: 'Set limit' },
      input: Type.Object(
        {
          alarm: Type.Enum(
            ['pm25High', 'pm25Severe', 'noiseHigh', 'temperatureHigh', 'temperatureLow', 'humidityHigh'],
            says('Which limit.', '限值'),
          ),
          value: Type.Number(says('New limit, in the unit of its point.', '数值')),
        },
        { additionalProperties: false },
      ),
      deadlineMs: 10_000,
      allow: ['shift-leader', 'installer', 'admin', 'platform'],
      acts: 'setting',
    },
  },
});
