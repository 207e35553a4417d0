import type { Reporter, TestCase } from 'vitest/node';

/**
 * Says why a test that passed had failed before: a race is a fault too, of the product or of the test, and nobody mends what nobody is
 * told of.
 */
export class RetriedReporter implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    if (result.state !== 'passed' || (test.diagnostic()?.retryCount ?? 0) === 0) return;
    const reasons = (result.errors ?? []).map(({ message, stack }) => stack ?? message);
    process.stdout.write(`\nPassed at a later try: ${test.fullName}\n${reasons.join('\n')}\n\n`);
  }
}
