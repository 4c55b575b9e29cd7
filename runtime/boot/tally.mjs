// @ts-check

/**
 * Counts tests in vitest's JSON report. Whatever kept tests from being counted counts as a failure itself: a file that
 * could not be loaded, a report that is missing or cut off, a run that ended badly although every test passed.
 * @param {string} report The report as text, empty if there is none.
 * @param {number} exitCode How the run ended.
 * @returns {{ passed: number, failed: number }}
 */
export function tally(report, exitCode) {
  const files = filesOf(report);
  const results = files.flatMap((file) => file.assertionResults.map((result) => result.status));
  const passed = results.filter((status) => status === 'passed').length;
  const unloaded = files.filter(
    (file) => file.status === 'failed' && file.assertionResults.every((result) => result.status !== 'failed'),
  );
  const failed = results.filter((status) => status === 'failed').length + unloaded.length;
  return { passed, failed: failed === 0 && (exitCode !== 0 || passed === 0) ? 1 : failed };
}

/**
 * @param {string} report
 * @returns {{ status: string, assertionResults: { status: string }[] }[]}
 */
function filesOf(report) {
  try {
    return JSON.parse(report).testResults ?? [];
  } catch {
    return [];
  }
}
