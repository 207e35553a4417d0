import { expect, it } from 'vitest';
import { metricSums } from './prometheus.js';

it('adds up the samples of a metric over all its label sets', () => {
  const sums = metricSums(`# HELP tocsin_checks_total Checks made.
# TYPE tocsin_checks_total counter
tocsin_checks_total{outcome="pass",type="http"} 40
tocsin_checks_total{outcome="fail",text="a } b 7"} 2
up 1
rubbish
broken NaN
tocsin_wait_seconds_bucket{le="+Inf"} 3
`);
  expect(Object.fromEntries(sums)).toEqual({ tocsin_checks_total: 42, up: 1, tocsin_wait_seconds_bucket: 3 });
});
