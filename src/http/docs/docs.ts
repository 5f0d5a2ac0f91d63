import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { fastifyZodOpenApiPlugin, fastifyZodOpenApiTransformers } from 'fastify-zod-openapi';

const tags = [
  { name: 'OpenAI', description: 'What the OpenAI SDKs speak; give them `/v1` as their base URL.' },
  { name: 'Anthropic', description: 'What the Anthropic SDKs and coding agents speak; their base URL has no `/v1`.' },
  { name: 'Ollama', description: "Ollama's API; the same again at `/ollama/api`, with its own defaults." },
  { name: 'Native', description: 'Generate text, and list, load and unload models.' },
  { name: 'Operation', description: 'Probes and metrics.' },
  {
    name: 'Messages in an envelope',
    description: "Anthropic's messages with `success`, `data` and `metadata` around them.",
  },
  {
    name: 'Batches in an envelope',
    description: "Anthropic's batches with `success`, `data` and `metadata` around them.",
  },
  {
    name: 'Native at /api/v1',
    description:
      'The native routes again; errors have another form, streams end with `[DONE]`, lists have an envelope.',
  },
];

const description = `Local models behind the APIs of OpenAI, Anthropic and Ollama and a native API.

With a key configured, send it as \`Authorization: Bearer KEY\` or \`X-API-Key: KEY\`; two that differ are refused.
A key has scopes: \`inference\` for answers and lists, \`admin\` for changes of the server.`;

/**
 * Everything the page may load comes from this server: it works without a network. Swagger UI writes style attributes,
 * no scripts.
 */
const pagePolicy =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; " +
  "base-uri 'self'; frame-ancestors 'self'";

/** Collects the schemas of all routes registered after it, and serves them as `/openapi.json` and `/docs`; neither asks for a key. */
export async function addDocs(app: FastifyInstance, version: string): Promise<void> {
  await app.register(fastifyZodOpenApiPlugin);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Hearth', version, description, license: { name: 'MIT', identifier: 'MIT' } },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        },
      },
      tags,
    },
    transform: (input) => {
      const { schema, url } = fastifyZodOpenApiTransformers.transform(input);
      const { scope = 'undeclared' } = input.route.config ?? {};
      // What answers without a key shows no lock. The empty alternative: no key is needed where none is configured.
      const security = scope === 'public' ? [] : [{ bearer: [scope] }, { apiKey: [scope] }, {}];
      return { url, schema: { ...schema, security } };
    },
    transformObject: (input) => {
      const document = fastifyZodOpenApiTransformers.transformObject(input);
      markOptionalBodies(document.paths ?? {});
      writeStreamData(document.paths ?? {});
      return document;
    },
  });
  await app.register(async (page) => {
    // A browser cannot send a key with a page that it opens; the page itself asks for one.
    page.addHook('onRoute', (route) => {
      route.config = { ...route.config, scope: 'public' };
    });
    await page.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: pagePolicy,
      // The validator badge would ask a server of Swagger; the standalone layout has Fastify's name and a box for URLs.
      uiConfig: { validatorUrl: null, docExpansion: 'list', deepLinking: true, layout: 'BaseLayout' },
      theme: { title: 'Hearth API' },
    });
  });
}

/** `GET /openapi.json`: the document that `/docs` shows. */
export function addDocument(app: FastifyInstance): void {
  app.get('/openapi.json', { config: { scope: 'public' }, schema: { hide: true } }, async (_request, reply) =>
    // The document has no schema of its own to be serialised by.
    reply.type('application/json; charset=utf-8').send(JSON.stringify(app.swagger())),
  );
}

/** What `fastify-zod-openapi` leaves on a body's schema to say whether the schema takes undefined. */
const optionalMark = 'x-fastify-zod-openapi-optional';

interface DescribedBody {
  required?: boolean;
  content?: Record<string, { schema?: Record<string, unknown> }>;
}

interface DescribedStream {
  content?: Record<string, { schema?: { properties?: { data?: Schema } } }>;
}

type Schema = { anyOf?: Schema[]; type?: unknown } & Record<string, unknown>;

/** Says of the data of every event stream that its objects come as the text of a record. */
function writeStreamData(paths: object): void {
  const operations = Object.values(paths).flatMap((methods: Record<string, { responses?: object }>) =>
    Object.values(methods),
  );
  for (const answer of operations.flatMap(({ responses }): DescribedStream[] => Object.values(responses ?? {}))) {
    const properties = answer.content?.['text/event-stream']?.schema?.properties;
    if (properties?.data) properties.data = asText(properties.data);
  }
}

/** A schema of what JSON text holds, as a schema of the text; plain words stay. */
function asText(schema: Schema): Schema {
  if (schema.anyOf) return { ...schema, anyOf: schema.anyOf.map(asText) };
  if (schema.type === 'string') return schema;
  return { type: 'string', contentMediaType: 'application/json', contentSchema: schema };
}

/** Swagger calls every body required; this puts right those that may be left out, and takes the marks away. */
function markOptionalBodies(paths: object): void {
  const operations = Object.values(paths).flatMap((methods: Record<string, { requestBody?: DescribedBody }>) =>
    Object.values(methods),
  );
  for (const { requestBody } of operations) {
    for (const { schema } of Object.values(requestBody?.content ?? {})) {
      if (requestBody && schema?.[optionalMark] === true) requestBody.required = false;
      delete schema?.[optionalMark];
    }
  }
}
