import { registerScenario } from '../scenario-node.ts';

export default (RED) => registerScenario(RED, 'ev-charging');
