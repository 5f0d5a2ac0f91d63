import type { CompletedCommand, CompletedFlag } from './completion-tree.ts';

/** How the shells are told of commands. Names of models are asked for when they are wanted, without what follows their colon. */

/** What prints the names of models; `program`: how the shell calls Hearth. */
const modelNames = (program: string) =>
  `${program} list --json 2>/dev/null | sed -n 's/^ *"model": "\\([^":]*\\).*/\\1/p' | sort -u`;

/** For bash: `source <(hearth completion bash)`. */
export function bashCompletion(commands: readonly CompletedCommand[]): string {
  return `# Completes hearth in bash. Made by "hearth completion bash".
_hearth() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} place= commands= flags= argument= index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$place \${COMP_WORDS[index]}" in
${stepsOf(commands, (from, to) => `      ${from}) place=${to} ;;`)}
    esac
  done
  case "$place" in
${commands
  .map(
    (command) =>
      `    ${quoted(placeOf(command.path))}) commands=${quoted([...command.commands.map(({ name }) => name), ...argumentChoices(command)].join(' '))} flags=${quoted(flagNames(allFlags(command, commands)).join(' '))} argument=${argumentWord(command)} ;;`,
  )
  .join('\n')}
  esac
  case "$place $previous" in
${valuesOf(commands, (patterns, flag) => {
  const words =
    flag.takes === 'file' ? '-f' : flag.takes === 'anything' ? null : `-W ${quoted(wordsOf(flag).join(' '))}`;
  return `    ${patterns}) ${words === null ? '' : `mapfile -t COMPREPLY < <(compgen ${words} -- "$word"); `}return ;;`;
})}
  esac
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word")
    return
  fi
  [[ -z $commands ]] || mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word")
  case $argument in
    model) mapfile -t COMPREPLY < <(compgen -W "$(${modelNames('"${COMP_WORDS[0]}"')})" -- "$word") ;;
    file) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
  esac
}
complete -o filenames -o bashdefault -F _hearth hearth ./hearth
`;
}

/** For zsh: `source <(hearth completion zsh)`, or as `_hearth` in a folder of `fpath`. */
export function zshCompletion(commands: readonly CompletedCommand[]): string {
  const described = (name: string, help: string) => quoted(`${name}:${help.replaceAll(':', '\\:')}`);
  return `#compdef hearth
# Completes hearth in zsh. Made by "hearth completion zsh".
_hearth() {
  local place= argument= index
  local -a commands flags
  for ((index = 2; index < CURRENT; index++)); do
    case "$place \${words[index]}" in
${stepsOf(commands, (from, to) => `      ${from}) place=${to} ;;`)}
    esac
  done
  case "$place" in
${commands
  .map(
    (command) =>
      `    ${quoted(placeOf(command.path))})
      commands=(${[...command.commands.map(({ name, help }) => described(name, help)), ...argumentChoices(command)].join(' ')})
      flags=(${allFlags(command, commands)
        .map(({ name, help }) => described(name, help))
        .join(' ')})
      argument=${argumentWord(command)} ;;`,
  )
  .join('\n')}
  esac
  case "$place \${words[CURRENT - 1]}" in
${valuesOf(commands, (patterns, flag) => {
  const act =
    flag.takes === 'file'
      ? '_files; '
      : flag.takes === 'anything'
        ? ''
        : `compadd -- ${wordsOf(flag).map(quoted).join(' ')}; `;
  return `    ${patterns}) ${act}return ;;`;
})}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe 'option' flags
    return
  fi
  (( \${#commands} )) && _describe 'command' commands
  case $argument in
    model) compadd -- \${(f)"$(${modelNames('"${words[1]}"')})"} ;;
    file) _files ;;
  esac
}
if [[ $funcstack[1] == _hearth ]]; then _hearth "$@"; else compdef _hearth hearth; fi
`;
}

/** For fish: `hearth completion fish | source`, or as a file in `~/.config/fish/completions`. */
export function fishCompletion(commands: readonly CompletedCommand[]): string {
  const at = (path: readonly string[]) => `-n ${fishQuoted(`__hearth_at ${fishQuoted(placeOf(path))}`)}`;
  return `# Completes hearth in fish. Made by "hearth completion fish".
function __hearth_at
  set -l place ''
  for word in (commandline -opc)[2..-1]
    switch "$place $word"
${stepsOf(commands, (from, to) => `      case ${from.replaceAll(' | ', ' ')}\n        set place ${to}`)}
    end
  end
  test "$place" = "$argv[1]"
end
function __hearth_models
  ${modelNames('hearth')}
end
complete -c hearth -f
${commands
  .flatMap((command) => [
    ...command.commands.map(
      ({ name, help }) => `complete -c hearth ${at(command.path)} -a ${name} -d ${fishQuoted(help)}`,
    ),
    ...allFlags(command, commands).map((flag) => `complete -c hearth ${at(command.path)} ${fishFlag(flag)}`),
    ...(command.argument === 'model' ? [`complete -c hearth ${at(command.path)} -a '(__hearth_models)'`] : []),
    ...(command.argument === 'file' ? [`complete -c hearth ${at(command.path)} -F`] : []),
    ...argumentChoices(command).map((word) => `complete -c hearth ${at(command.path)} -a ${word}`),
  ])
  .join('\n')}
`;
}

function fishFlag({ name, short, help, takes }: CompletedFlag): string {
  const value =
    takes === 'nothing'
      ? ''
      : takes === 'file'
        ? ' -r -F'
        : takes === 'anything'
          ? ' -x'
          : ` -x -a ${fishQuoted([...takes].join(' '))}`;
  return `-l ${name.replace(/^--/, '')}${short === null ? '' : ` -s ${short.slice(1)}`}${value} -d ${fishQuoted(help)}`;
}

/** Where one is after the words of a path: `" batch create"`; nothing: at the program itself. */
const placeOf = (path: readonly string[]) => path.map((word) => ` ${word}`).join('');

/** A line for each word that leads from one command to one below it. */
function stepsOf(commands: readonly CompletedCommand[], line: (from: string, to: string) => string): string {
  return commands
    .filter(({ path }) => path.length > 0)
    .map(({ path, aliases }) => {
      const above = placeOf(path.slice(0, -1));
      const words = [path.at(-1)!, ...aliases].map((word) => quoted(`${above} ${word}`));
      return line(words.join(' | '), quoted(placeOf(path)));
    })
    .join('\n');
}

/** A line for each flag that takes something, at each place where it is. */
function valuesOf(
  commands: readonly CompletedCommand[],
  line: (patterns: string, flag: CompletedFlag) => string,
): string {
  return commands
    .flatMap((command) =>
      allFlags(command, commands)
        .filter(({ takes }) => takes !== 'nothing')
        .map((flag) => {
          const names = [flag.name, ...(flag.short === null ? [] : [flag.short])];
          return line(names.map((name) => quoted(`${placeOf(command.path)} ${name}`)).join(' | '), flag);
        }),
    )
    .join('\n');
}

/** `serve` takes the flags of the program, as it is the same. */
function allFlags(command: CompletedCommand, commands: readonly CompletedCommand[]): readonly CompletedFlag[] {
  return command.path.join(' ') === 'serve' ? commands[0]!.flags : command.flags;
}

function flagNames(flags: readonly CompletedFlag[]): string[] {
  return flags.flatMap(({ name, short }) => [name, ...(short === null ? [] : [short])]);
}

function argumentWord({ argument }: CompletedCommand): string {
  return typeof argument === 'string' ? argument : 'none';
}

function argumentChoices({ argument }: CompletedCommand): readonly string[] {
  return typeof argument === 'string' ? [] : argument;
}

function wordsOf({ takes }: CompletedFlag): readonly string[] {
  return typeof takes === 'string' ? [] : takes;
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
const fishQuoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
