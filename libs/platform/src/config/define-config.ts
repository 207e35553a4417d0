import { type Fault, TocsinError } from '@tocsin/domain';
import { z } from 'zod';

/** One environment variable a service reads. */
export interface ConfigField<Output = unknown> {
  /** From the variable's text to the typed value. Gets `undefined` where the variable is unset and has no default. */
  schema: z.ZodType<Output>;
  /** One sentence for the reference table. */
  description: string;
  /** True for what must not be shown: never printed, and its default neither. */
  secret?: boolean;
  /** Used where the variable is unset or empty, in the spelling of the environment. */
  default?: string;
  /** For the reference table: what the default is, where it is not the same on every machine. */
  defaultShown?: string;
  /** For the reference table and the example file. */
  example?: string;
}

/** Environment variables by name. */
export type ConfigFields = Record<string, ConfigField>;

/** The typed values of some fields, by the variables' own names. */
export type ConfigValues<F extends ConfigFields> = { readonly [K in keyof F]: z.output<F[K]['schema']> };

/** The configuration of a service. */
export interface ConfigDefinition<F extends ConfigFields> {
  readonly fields: F;
  /**
   * Reads the fields out of an environment. An empty variable counts as unset.
   * @throws TocsinError `TCN_CONFIG` that names every bad variable and the reason, never a value
   */
  parse(env: Readonly<Record<string, string | undefined>>): ConfigValues<F>;
}

/** The same field where it must be set. */
export function required<Output>(field: ConfigField<Output | undefined>): ConfigField<Output> {
  return { ...field, schema: field.schema.pipe(z.custom<Output>((value) => value !== undefined)) };
}

/** Defines the configuration of a service. Parse it once, at the edge of the process. */
export function defineConfig<const F extends ConfigFields>(fields: F): ConfigDefinition<F> {
  return {
    fields,
    parse(env) {
      const values: Record<string, unknown> = {};
      const faults: Fault[] = [];
      for (const [name, field] of Object.entries(fields)) {
        const given = env[name] === '' ? undefined : env[name];
        const result = field.schema.safeParse(given ?? field.default);
        if (result.success) values[name] = result.data;
        else faults.push({ pointer: `/${name}`, detail: reason(result.error, given !== undefined) });
      }
      if (faults.length > 0) {
        const list = faults.map((fault) => `${fault.pointer.slice(1)}: ${fault.detail}`).join('; ');
        throw new TocsinError('TCN_CONFIG', list, { faults });
      }
      return values as ConfigValues<F>;
    },
  };
}

function reason(error: z.ZodError, given: boolean): string {
  if (!given) return 'is not set';
  return error.issues.map((issue) => issue.message).join(', ');
}
