import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { warningsOf } from '../../../config/cloud.ts';
import { ConfigError } from '../../../config/config-error.ts';
import { localProviderId } from '../../../core/call.ts';
import { AppError } from '../../../core/errors.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { bodyErrorAnswers, errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { configuredView, toCapabilities } from '../providers/providers.ts';
import { toConfigAnswer } from './from-core.ts';
import {
  configAnswer,
  reloadAnswer,
  reloadBody,
  settingsAnswer,
  statusAnswer,
  validateAnswer,
  validateBody,
} from './schema.ts';

/** The configuration of other services: to see it, to read it again, and to check another one. */
export function addConfigRoutes(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const { configuration } = deps;
  const tags = [mount.tag];
  const errors = errorAnswers(mount.errorSchema);
  const bodyErrors = bodyErrorAnswers(mount.errorSchema);
  const isOn = (id: string) => deps.providers.current().has(id);

  app.get('/config', {
    config: { scope: 'admin' },
    schema: {
      summary: 'Show the configuration of providers, chains, budgets and limits',
      description: 'As it is in force, without its secrets. Times are in seconds, money in USD.',
      tags,
      response: { 200: jsonAnswer(configAnswer, 'The configuration'), ...errors },
    },
    handler: async () => {
      const all = deps.providers.all();
      return toConfigAnswer(
        configuration.current().cloud,
        (id) => toCapabilities(configuredView(deps, all.get(id)!)),
        isOn,
      );
    },
  });

  app.get('/config/status', {
    config: { scope: 'admin' },
    schema: {
      summary: 'Whether the configuration is in order, and when it was read',
      tags,
      response: { 200: jsonAnswer(statusAnswer, 'The state'), ...errors },
    },
    handler: async () => {
      const { filePath, loadedAt, error } = configuration.state();
      const { cloud } = configuration.current();
      return {
        loaded: true as const,
        config_path: filePath,
        version: cloud.version,
        last_reload: loadedAt.toISOString(),
        providers_count: cloud.providers.size,
        enabled_providers: [...deps.providers.current().keys()].filter((id) => id !== localProviderId),
        validation_status: error === null ? ('valid' as const) : ('invalid' as const),
        error,
        warnings: warningsOf(cloud, deps.clock.now()),
      };
    },
  });

  app.get('/config/settings', {
    config: { scope: 'admin' },
    schema: {
      summary: 'Every setting with the place that it comes from',
      description:
        'As they were last put into force: from a flag, a variable, a line of the file, or by default. Without secrets.',
      tags,
      response: { 200: jsonAnswer(settingsAnswer, 'The settings, in the order of the documents'), ...errors },
    },
    handler: async () => ({ settings: configuration.settings().map((one) => ({ ...one })) }),
  });

  app.post('/config/reload', {
    config: { scope: 'admin', allowsEmptyBody: true },
    schema: {
      summary: 'Read the configuration again',
      description:
        'All of it or nothing: one that cannot be used leaves the old one in force. Providers that are built anew let requests that run end. What was switched by hand stays so, until the file says another thing of it.',
      tags,
      body: reloadBody.optional(),
      response: { 200: jsonAnswer(reloadAnswer, 'It is in force, or was only looked at'), ...bodyErrors },
    },
    handler: async ({ body }) => {
      const validateOnly = body?.validate_only ?? false;
      const { providersAdded, providersRemoved, settingsChanged, needRestart } = reload(validateOnly);
      return {
        status: 'success' as const,
        message: validateOnly ? 'Configuration is valid' : 'Configuration reloaded successfully',
        changes: {
          providers_added: providersAdded,
          providers_removed: providersRemoved,
          settings_changed: settingsChanged,
          restart_required: needRestart,
        },
      };
    },
  });

  app.post('/config/validate', {
    config: { scope: 'admin' },
    schema: {
      summary: 'Check another configuration',
      description:
        'A file beside the one in force, by its bare name, or a text. Of a text no variable is filled in and no file is read. Nothing changes.',
      tags,
      body: validateBody,
      response: { 200: jsonAnswer(validateAnswer, 'What was found'), ...bodyErrors },
    },
    handler: async ({ body }) => {
      const found = configuration.check(body.yaml === undefined ? { file: body.config_path! } : { text: body.yaml });
      return { valid: found.errors.length === 0, ...found };
    },
  });

  function reload(validateOnly: boolean) {
    try {
      return configuration.reload({ validateOnly });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      throw new AppError('invalid_request', 'The configuration cannot be used; the old one stays in force.', {
        details: { errors: error.problems },
        cause: error,
      });
    }
  }
}
