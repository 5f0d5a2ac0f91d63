import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import type { LocalModel } from '../../../engine/engine.ts';
import { namesIgnored } from '../../answer/answer.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import { isVisibleHere, visibleLocal } from '../../mount/visible-models.ts';
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
    config: { scope: 'inference' },
    schema: {
      summary: 'List the models on disk, and the names made of them',
      tags,
      response: { 200: jsonAnswer(tagList, 'The models'), ...errors },
    },
    handler: async ({ principal }) => {
      const isVisible = (model: LocalModel) => isVisibleHere(deps, principal, model);
      const models = (await engine.listModels()).filter(isVisible);
      const made = await Promise.all(
        store.madeModels().map(async (one) => ({ made: one, model: await findLocal(deps, one.name) })),
      );
      return {
        models: toTags(
          models,
          made.flatMap(({ made, model }) => (model && isVisible(model) ? [{ made, model }] : [])),
        ),
      };
    },
  });

  app.get('/ps', {
    config: { scope: 'inference' },
    schema: {
      summary: 'List the loaded models',
      tags,
      response: { 200: jsonAnswer(runningList, 'The models'), ...errors },
    },
    handler: async ({ principal }) => {
      const loaded = (await engine.listModels()).filter(
        (model) => model.loaded !== null && isVisibleHere(deps, principal, model),
      );
      const { keepAliveMs } = deps.config.models;
      return { models: loaded.map((model) => toRunning(model, deps.clock.now(), keepAliveMs)) };
    },
  });

  app.post('/show', {
    config: { scope: 'inference' },
    preHandler: namesIgnored(['system']),
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
      const model = await visibleLocal(deps, request.principal, name);
      const header = await store.header(name);
      return toShown(name, model, header, { made: store.findMade(name), isVerbose: request.body.verbose === true });
    },
  });

  app.get('/version', {
    config: { scope: 'inference' },
    schema: { summary: 'Show the version', tags, response: { 200: jsonAnswer(versionAnswer, 'It'), ...errors } },
    handler: async () => ({ version: followedVersion, hearth_version: deps.version }),
  });

  app.get('/status', {
    config: { scope: 'inference' },
    schema: {
      summary: "Show whether Ollama's own cloud is used: it never is",
      tags,
      response: { 200: jsonAnswer(statusAnswer, 'The state'), ...errors },
    },
    handler: async () => ({ cloud: { disabled: true, source: 'config' } }),
  });
}
