import { registerRecords } from '../records-node.ts';

export default (RED) => registerRecords(RED);
