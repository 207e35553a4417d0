import { announcedStateSchema, HEALTH_PROBE_SOURCE } from '@tocsin/contracts';
import { newId, type EventToAppend, type JsonObject, type RecordedEvent } from '@tocsin/domain';

/** An event about a group as a whole. The label that makes the group is the label it is matched by. */
export function groupEvent(parts: {
  type: string;
  group: string;
  episode: string;
  nowMs: number;
  data: JsonObject;
}): EventToAppend {
  const { type, group, episode, nowMs, data } = parts;
  const [label = '', value = ''] = group.split('=');
  return {
    id: newId('evt', nowMs),
    source: HEALTH_PROBE_SOURCE,
    type,
    subject: `group/${group}`,
    time: new Date(nowMs).toISOString(),
    extensions: { episode },
    datacontenttype: 'application/json',
    data: { group, ...(label === 'parent' ? {} : { labels: { [label]: value } }), ...data },
  };
}

/** Does an event about a target say that it is down? */
export function isDown({ data }: RecordedEvent): boolean {
  const to = data !== null && typeof data === 'object' && !Array.isArray(data) ? data['to'] : undefined;
  return announcedStateSchema.safeParse(to).data === 'down';
}
