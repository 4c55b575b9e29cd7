import { registerAccess } from '../access-node.ts';

export default (RED) => registerAccess(RED);
