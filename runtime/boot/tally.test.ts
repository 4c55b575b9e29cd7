import { expect, test } from 'vitest';
import { tally } from './tally.mjs';

const report = (...files: [status: string, ...tests: string[]][]) =>
  JSON.stringify({
    testResults: files.map(([status, ...tests]) => ({ status, assertionResults: tests.map((s) => ({ status: s })) })),
  });

test('counts tests that passed and failed', () => {
  expect(tally(report(['passed', 'passed', 'passed'], ['failed', 'passed', 'failed']), 1)).toEqual({
    passed: 3,
    failed: 1,
  });
  expect(tally(report(['passed', 'passed']), 0)).toEqual({ passed: 1, failed: 0 });
});

test('counts a file that could not be loaded as one failure', () => {
  expect(tally(report(['passed', 'passed'], ['failed']), 1)).toEqual({ passed: 1, failed: 1 });
});

test('never calls a run good that ended badly or ran nothing', () => {
  expect(tally(report(['passed', 'passed']), 1)).toEqual({ passed: 1, failed: 1 });
  expect(tally('', 1)).toEqual({ passed: 0, failed: 1 });
  expect(tally('{"testResults": [{"sta', 137)).toEqual({ passed: 0, failed: 1 });
  expect(tally(report(), 0)).toEqual({ passed: 0, failed: 1 });
});
