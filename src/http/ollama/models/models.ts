import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { namesIgnored } from '../../answer/answer.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import { ollamaError } from '../objects/errors.ts';
import { findLocal } from '../objects/loading.ts';
import { namedModel, tags } from '../objects/names.ts';
import { toRunning, toTags } from './from-core.ts';
import { runningList, showAnswer, showBody, statusAnswer, tagList, versionAnswer } from './schema.ts';
import { toShown } from './show.ts';

/** The release of Ollama whose API this dialect follows; clients refuse older ones. */
const followedVersion = '0.33.0';

/** What there is, what runs, one of them, and of what release this is. */
export function addModelRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const { engine, store } = deps;
  const errors = errorAnswers(ollamaError);

  app.get('/tags', {
    schema: {
      summary: 'List the models on disk, and the names made of them',
      tags,
      response: { 200: jsonAnswer(tagList, 'The models'), ...errors },
    },
    handler: async () => {
      const models = await engine.listModels();
      const made = await Promise.all(
        store.madeModels().map(async (one) => ({ made: one, model: await findLocal(deps, one.name) })),
      );
      return {
        models: toTags(
          models,
          made.flatMap(({ made, model }) => (model ? [{ made, model }] : [])),
        ),
      };
    },
  });

  app.get('/ps', {
    schema: {
      summary: 'List the loaded models',
      tags,
      response: { 200: jsonAnswer(runningList, 'The models'), ...errors },
    },
    handler: async () => {
      const loaded = (await engine.listModels()).filter((model) => model.loaded !== null);
      const { keepAliveMs } = deps.config.models;
      return { models: loaded.map((model) => toRunning(model, deps.clock.now(), keepAliveMs)) };
    },
  });

  app.post('/show', {
    preValidation: [namesIgnored(showBody, ['system'])],
    schema: {
      summary: 'Show a model',
      description: 'With "verbose" its tensors, too.',
      tags,
      body: showBody,
      response: {
        200: jsonAnswer(showAnswer, 'The model'),
        404: jsonAnswer(ollamaError, 'There is no such model'),
        ...errors,
      },
    },
    handler: async (request) => {
      const name = namedModel(request.body);
      const model = await engine.getModel(name);
      const header = await store.header(name);
      return toShown(name, model, header, { made: store.findMade(name), isVerbose: request.body.verbose === true });
    },
  });

  app.get('/version', {
    schema: { summary: 'Show the version', tags, response: { 200: jsonAnswer(versionAnswer, 'It'), ...errors } },
    handler: async () => ({ version: followedVersion, hearth_version: deps.version }),
  });

  app.get('/status', {
    schema: {
      summary: "Show whether Ollama's own cloud is used: it never is",
      tags,
      response: { 200: jsonAnswer(statusAnswer, 'The state'), ...errors },
    },
    handler: async () => ({ cloud: { disabled: true, source: 'config' } }),
  });
}
