import { registerSchedule } from '../schedule-node.ts';

export default (RED) => registerSchedule(RED);
