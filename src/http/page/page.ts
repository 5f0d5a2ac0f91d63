import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../../core/errors.ts';
import { type BuiltFile, createBuiltFiles } from './built-files.ts';

/**
 * Nothing but files of this server, and nothing inline: a text that a model wrote cannot become a script. Frames on the same
 * origin are allowed, for dashboards behind the same proxy.
 */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; manifest-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; require-trusted-types-for 'script'";

const yearSeconds = 31_536_000;

/** What stands at `/ui` where the page was not built; without it everything else works. */
const notBuilt = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Hearth</title>
<h1>The page is not built</h1>
<p>It was left out of this installation, as with <code>npm ci --ignore-scripts</code> or without development packages.
Everything else of Hearth works.</p>
<p>Build it with <code>npm run build:ui</code>, in the folder of Hearth, and load this page again.</p>
<p><a href="../docs">The endpoints</a></p>
</html>
`;

/**
 * The page for people at `/ui`: static files, which ask for no key; the page asks for it. All its addresses are relative, so
 * it also works where a proxy has put the server below a path. `folder`: where it is built.
 */
export function addPage(app: FastifyInstance, folder: string): void {
  const builtFiles = createBuiltFiles(folder);
  const options = { config: { scope: 'public' }, schema: { hide: true } } as const;

  app.get('/ui', options, async (request, reply) => {
    // Relative addresses of a page begin at the last slash of its own.
    if (!pathOf(request).endsWith('/')) return reply.redirect('ui/');
    reply.headers({ 'content-security-policy': policy, 'referrer-policy': 'no-referrer' });
    const index = (await builtFiles())?.get('index.html');
    if (index) return sendFile(request, reply, index);
    return reply.code(503).type('text/html; charset=utf-8').header('cache-control', 'no-store').send(notBuilt);
  });

  app.get<{ Params: { '*': string } }>('/ui/*', options, async (request, reply) => {
    const file = (await builtFiles())?.get(request.params['*']);
    if (file) return sendFile(request, reply, file);
    throw new AppError('not_found', 'The page has no such file.', {
      fix: 'Load the page again: it may be of another version.',
    });
  });
}

function sendFile(request: FastifyRequest, reply: FastifyReply, file: BuiltFile): FastifyReply {
  reply.headers({
    'cache-control': file.isNamedByContent ? `public, max-age=${yearSeconds}, immutable` : 'no-cache',
    etag: file.etag,
    vary: 'Accept-Encoding',
    'x-content-type-options': 'nosniff',
  });
  const known = (request.headers['if-none-match'] ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (known.includes(file.etag)) return reply.code(304).send();
  reply.type(file.type);
  const takesGzip = /\bgzip\b(?!\s*;\s*q=0(?:\.0+)?\s*(?:,|$))/i.test(request.headers['accept-encoding'] ?? '');
  if (!takesGzip || file.gzipped === null) return reply.send(file.bytes);
  return reply.header('content-encoding', 'gzip').send(file.gzipped);
}

function pathOf({ raw }: FastifyRequest): string {
  return (raw.url ?? '').split('?', 1)[0]!;
}
