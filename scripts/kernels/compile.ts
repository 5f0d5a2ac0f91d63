import { spawnSync } from 'node:child_process';
import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';

/** A step that failed, in words for whoever runs the script. */
export class BuildError extends Error {}

/** A compiler takes up to this for its largest file; without the memory it would be killed. */
const bytesPerJob = 2 ** 30;

/** As the library's own binaries are built; of ggml alone only the named kernels are compiled. */
const options = [
  '-DCMAKE_BUILD_TYPE=Release',
  '-DCMAKE_PLATFORM_NO_VERSIONED_SONAME=ON',
  '-DBUILD_SHARED_LIBS=ON',
  '-DGGML_BACKEND_DL=ON',
  '-DGGML_CPU_ALL_VARIANTS=ON',
  '-DGGML_NATIVE=OFF',
  '-DGGML_LLAMAFILE=ON',
  '-DGGML_OPENMP=OFF',
  '-DGGML_CCACHE=OFF',
  '-DGGML_BUILD_TESTS=OFF',
  '-DGGML_BUILD_EXAMPLES=OFF',
];

/** Unpacks ggml's source and llama.cpp's header from the library's bundle into `folder` and applies the patches. Throws `BuildError`. */
export function unpackSource(bundle: string, patches: readonly string[], folder: string): void {
  run('git', ['clone', '--quiet', '--no-checkout', bundle, folder], 'The source of llama.cpp could not be unpacked');
  run(
    'git',
    ['-C', folder, 'sparse-checkout', 'set', 'ggml', 'include'],
    'The source of llama.cpp could not be unpacked',
  );
  run('git', ['-C', folder, 'checkout', '--quiet'], 'The source of llama.cpp could not be unpacked');
  for (const patch of patches) {
    run('git', ['-C', folder, 'apply', patch], 'The patch does not fit this version of llama.cpp');
  }
}

/** A pair of compilers, as CMake is told of them; without, it takes what it finds. */
export interface Compiler {
  label: string;
  CC?: string;
  CXX?: string;
  /** What it compiles for when that is not this machine, as CMake names processors. */
  processor?: string;
}

/**
 * The compilers to try: those that CC and CXX name, else Clang and GCC as far as they are here, else whatever CMake finds.
 * Which of them makes the faster kernels differs from processor to processor.
 */
export function compilersHere({ CC, CXX }: NodeJS.ProcessEnv, has: (tool: string) => boolean = exists): Compiler[] {
  if (CC || CXX) return [{ label: CXX ?? CC ?? '', ...(CC && { CC }), ...(CXX && { CXX }) }];
  const versions = ['', '-22', '-21', '-20', '-19', '-18', '-17', '-16', '-15', '-14'];
  const clang = versions.find((suffix) => has(`clang${suffix}`) && has(`clang++${suffix}`));
  const found: Compiler[] = [];
  if (clang !== undefined) found.push({ label: `clang${clang}`, CC: `clang${clang}`, CXX: `clang++${clang}` });
  if (has('gcc') && has('g++')) found.push({ label: 'gcc', CC: 'gcc', CXX: 'g++' });
  return found.length > 0 ? found : [{ label: 'the default compiler' }];
}

/** Looks for what a build needs. Throws `BuildError`, which names what is missing. */
export function requireTools(environment: NodeJS.ProcessEnv): void {
  const { CC = 'cc', CXX = 'c++' } = compilersHere(environment)[0]!;
  const lacksCompiler = !exists(CC) || !exists(CXX);
  if (lacksCompiler && (environment.CC || environment.CXX)) {
    throw new BuildError(`CC and CXX name compilers, but ${CC} and ${CXX} are not both here.`);
  }
  const missing = ['git', 'cmake', 'make'].filter((tool) => !exists(tool));
  if (lacksCompiler) missing.push('clang');
  if (missing.length === 0) return;
  throw new BuildError(`Missing for a build: ${missing.join(', ')}. On Debian: apt-get install ${missing.join(' ')}`);
}

/** What came of a build. */
export interface Compiled {
  /** Kernels by name (`libggml-cpu-haswell.so`), and where each lies. */
  files: Map<string, string>;
  /** The program that tries kernels, see `trial.ts`. */
  trial: string;
}

/** Compiles kernels by name (`libggml-cpu-haswell.so`), and the program that tries them. Throws `BuildError`. */
export function compile(
  source: string,
  buildFolder: string,
  names: readonly string[],
  { CC, CXX, processor }: Compiler,
): Compiled {
  const env = { ...process.env, ...(CC && { CC }), ...(CXX && { CXX }) };
  const project = ['-S', import.meta.dirname, '-B', buildFolder, `-DGGML_FOLDER=${join(source, 'ggml')}`];
  const other = processor === undefined ? [] : ['-DCMAKE_SYSTEM_NAME=Linux', `-DCMAKE_SYSTEM_PROCESSOR=${processor}`];
  run('cmake', [...project, ...options, ...other], 'CMake refuses the source', env);
  const jobs = Math.max(1, Math.min(availableParallelism(), Math.floor(freemem() / bytesPerJob)));
  const targets = ['try-kernels', ...names.map((name) => name.replace(/^lib(.+)\.so$/, '$1'))];
  const built = ['--build', buildFolder, '--parallel', String(jobs), '--target', ...targets];
  run('cmake', built, 'The kernels could not be compiled', env);
  const binary = (name: string) => join(buildFolder, 'bin', name);
  return { files: new Map(names.map((name) => [name, binary(name)])), trial: binary('try-kernels') };
}

/**
 * Compiles the program that tries whether rows depend on each other (`engine-trial.ts`): it needs headers alone. Returns its
 * path. Throws `BuildError`.
 */
export function compileEngineTrial(source: string, program: string, { CXX = 'c++' }: Compiler): string {
  const headers = ['ggml/include', 'include'].flatMap((folder) => ['-I', join(source, folder)]);
  const file = join(import.meta.dirname, 'try-engine.cpp');
  run(CXX, ['-std=c++17', '-O2', ...headers, file, '-o', program, '-ldl'], 'The trial could not be compiled');
  return program;
}

function exists(tool: string): boolean {
  return spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0;
}

function run(tool: string, args: string[], failure: string, env: NodeJS.ProcessEnv = process.env): void {
  const { status, error, stdout, stderr } = spawnSync(tool, args, { env, encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status === 0) return;
  // What went well stands before it, and is long.
  const lines = (stderr?.trim() || stdout || '').trim().split('\n').slice(-20).join('\n');
  throw new BuildError(`${failure}: ${tool} ${error ? error.message : `ended with ${status}`}\n${lines}`);
}
