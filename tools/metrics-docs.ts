import type { MetricFamily } from '../test/harness/metrics.js';

/** Where the reference stands in the repository. */
export const METRICS_DOCS_PATH = 'docs/metrics.md';

/** Who has which metrics, by how their names begin; the first that fits. */
const SECTIONS: readonly [string, RegExp][] = [
  [
    'Observers',
    /^tocsin_(?:check|suspicion|transition|announcement|withheld|detection|watched|held|isolated|heartbeat|late_heartbeat)/,
  ],
  ['The log and its relay', /^tocsin_(?:append|log|relay)/],
  ['Followers of the log', /^tocsin_follower/],
  ['Delivery', /^tocsin_(?:delivery|deliveries|accepted|dead|missing|waiting|parked|owned)/],
  ['Every process', /./],
];

/** The reference of all metrics, in Markdown, as a scrape has them. */
export function metricsDocs(families: readonly MetricFamily[]): string {
  const sectionOf = (name: string) => SECTIONS.find(([, pattern]) => pattern.test(name))?.[0];
  const sections = SECTIONS.map(([title]) => {
    const rows = families
      .filter(({ name }) => sectionOf(name) === title)
      .map(({ name, type, labels, help }) => {
        const shown = labels.map((label) => `\`${label}\``).join(', ');
        return `| \`${name}\` | ${type} | ${shown === '' ? '–' : shown} | ${help.replace(/\.$/, '')} |`;
      });
    return `## ${title}\n\n| metric | type | labels | what it is |\n|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `# Metrics

<!-- Written by \`npm run codegen:metrics\` from a scrape of a running Tocsin after an outage; changes here are overwritten. -->

Every process answers \`GET /metrics\` in Prometheus' text format; the standalone one shows all of these, a service its own. Names end in their unit.
No label holds an event, a target, a subscription or a URL, so the number of series does not grow with the fleet. Alert rules on them stand in
\`deploy/prometheus\`, dashboards in \`deploy/grafana\`.

The **noise receipt**, what an hour of watching came down to:

\`\`\`promql
sum(increase(tocsin_checks_total[1h]))                              # checks made
sum(increase(tocsin_transitions_total[1h]))                         # changes confirmed
sum(increase(tocsin_deliveries_total{outcome="delivered"}[1h]))     # told
\`\`\`

How far a follower is behind, in events: \`max(tocsin_log_position_events) - on() group_right() min by (follower) (tocsin_follower_position_events)\`.

${sections.join('\n')}`;
}
