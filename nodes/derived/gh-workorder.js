import { registerWorkOrder } from '../work-order-node.ts';

export default (RED) => registerWorkOrder(RED);
