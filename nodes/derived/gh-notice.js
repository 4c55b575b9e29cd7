import { registerNotice } from '../notice-node.ts';

export default (RED) => registerNotice(RED);
