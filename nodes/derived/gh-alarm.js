import { registerAlarm } from '../alarm-node.ts';

export default (RED) => registerAlarm(RED);
