import { basename } from 'node:path';

/** Set by whatever starts Hearth for a person: what was typed for that. No setting. */
export const programVariable = 'HEARTH_COMMAND';

/** Set in our images alone. No setting. */
export const imageVariable = 'HEARTH_IMAGE';

/**
 * What a person types here to run Hearth: `./hearth`, `hearth` where it was found by its name, `docker exec -it hearth hearth`
 * beside a container. `script`: the file that Node was given.
 */
export function programName(
  env: Readonly<Record<string, string | undefined>>,
  script: string,
  platform: NodeJS.Platform,
): string {
  const told = env[programVariable]?.trim();
  if (told) return told;
  // A link that npm made of it.
  if (basename(script) === 'hearth') return 'hearth';
  return platform === 'win32' ? 'npx node src/main.ts' : './hearth';
}
