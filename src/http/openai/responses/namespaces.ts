import { z } from 'zod';
import { droppedIn } from '../../fields/dropped.ts';
import { parsed } from './parsed.ts';
import type { BodyTool } from './schema.ts';

/** A tool and where in the body it stands. */
export interface PlacedTool {
  tool: BodyTool;
  field: string;
}

/** What the client calls a tool that stands in a namespace. */
export interface GroupedName {
  namespace: string;
  name: string;
}

const namespaceTool = z.object({
  type: z.literal('namespace'),
  name: z.string().min(1).max(64),
  description: z.string().nullish(),
  tools: z.array(z.looseObject({ type: z.enum(['function', 'custom']), name: z.string() })).max(128),
});

/** The name of a tool of a namespace, as the model sees it. */
export const joinedName = (namespace: string | null | undefined, name: string) =>
  namespace ? `${namespace}__${name}` : name;

/**
 * Tools in one row, those of namespaces under joined names, since the model knows no groups. `groups`: what the client calls them;
 * `ignored`: fields that change nothing. Throws `invalid_request` that names the field.
 */
export function withoutNamespaces(tools: readonly PlacedTool[]): {
  tools: PlacedTool[];
  groups: ReadonlyMap<string, GroupedName>;
  ignored: string[];
} {
  const groups = new Map<string, GroupedName>();
  const ignored: string[] = [];
  const row = tools.flatMap(({ tool, field }): PlacedTool[] => {
    if (tool.type !== 'namespace') return [{ tool, field }];
    const group = parsed(namespaceTool, tool, field);
    ignored.push(...droppedIn(tool, group, 'tools'));
    return group.tools.map((inner, index) => {
      const name = joinedName(group.name, inner.name);
      groups.set(name, { namespace: group.name, name: inner.name });
      // The words on the group stand before its first tool.
      const told = [index === 0 ? group.description : null, inner['description']].filter((text) => text);
      const described = { ...inner, name, ...(told.length > 0 && { description: told.join('\n\n') }) };
      return { tool: described, field: `${field}.tools.${index}` };
    });
  });
  return { tools: row, groups, ignored };
}
