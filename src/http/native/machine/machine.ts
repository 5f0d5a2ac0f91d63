import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { z } from 'zod';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';

const count = z.int().min(0);

/** `GET /machine`: null is what the machine does not say. */
const machineAnswer = z
  .object({
    processor: z
      .object({
        name: z.string().meta({ examples: ['Intel Celeron J4125'] }),
        physical_cores: count.nullable(),
        logical_cores: count.nullable(),
        base_ghz: z.number().nullable(),
        max_ghz: z.number().nullable(),
        l2_cache_bytes: count.nullable(),
        l3_cache_bytes: count.nullable(),
      })
      .nullable(),
    board: z.object({ vendor: z.string().nullable(), model: z.string() }).nullable(),
    disks: z
      .array(
        z.object({
          name: z.string().meta({ examples: ['sda', 'nvme0n1'] }),
          model: z.string().nullable(),
          kind: z.enum(['hdd', 'ssd']).nullable(),
          size_bytes: count,
          is_removable: z.boolean(),
        }),
      )
      .nullable()
      .meta({ description: 'Whole disks that are seen from here.' }),
    temperatures: z
      .object({ processor_celsius: z.number(), hottest_core_celsius: z.number().nullable() })
      .nullable()
      .meta({ description: 'At most ten seconds old.' }),
  })
  .meta({ id: 'Machine' });

/** `GET /machine`: what the machine is made of. */
export function addMachineRoute(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.get('/machine', {
    config: { scope: 'inference' },
    schema: {
      summary: 'What the machine is made of',
      description: 'Takes a moment. Without serial numbers and addresses; what cannot be read is null.',
      tags: [mount.tag],
      response: {
        200: jsonAnswer(machineAnswer, 'Processor, board, disks, temperatures'),
        ...errorAnswers(mount.errorSchema),
      },
    },
    handler: async () => {
      const { processor, board, disks, temperatures } = await deps.inventory();
      return {
        processor: processor && {
          name: processor.name,
          physical_cores: processor.physicalCores,
          logical_cores: processor.logicalCores,
          base_ghz: processor.baseGhz,
          max_ghz: processor.maxGhz,
          l2_cache_bytes: processor.l2CacheBytes,
          l3_cache_bytes: processor.l3CacheBytes,
        },
        board,
        disks:
          disks?.map(({ name, model, kind, sizeBytes, isRemovable }) => ({
            name,
            model,
            kind,
            size_bytes: sizeBytes,
            is_removable: isRemovable,
          })) ?? null,
        temperatures: temperatures && {
          processor_celsius: temperatures.processorCelsius,
          hottest_core_celsius: temperatures.hottestCoreCelsius,
        },
      };
    },
  });
}
