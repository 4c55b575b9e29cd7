import { registerQuery } from '../query-node.ts';

export default (RED) => registerQuery(RED);
