import { describe, expectTypeOf, it } from 'vitest';
import type { z } from 'zod';
import type {
  reloadAnswer,
  settingsAnswer,
  statusAnswer,
  validateAnswer,
} from '../../src/http/native/config/schema.ts';
import type { dailyAnswer, entriesAnswer, privacyAnswer, summaryAnswer } from '../../src/http/native/costs/schema.ts';
import type { liveState } from '../../src/http/native/events/schema.ts';
import type { circuitsAnswer } from '../../src/http/native/health/provider-schema.ts';
import type { jobList } from '../../src/http/native/jobs/jobs.ts';
import type { linesAnswer } from '../../src/http/native/logs/logs.ts';
import type { planAnswer } from '../../src/http/native/models/plan-schema.ts';
import type { modelList } from '../../src/http/native/models/schema.ts';
import type { chainList, testAnswer } from '../../src/http/native/providers/schema.ts';
import type { limitsAnswer } from '../../src/http/native/rate-limits/rate-limits.ts';
import type { availableList, foundList, pullList, suggestedList } from '../../src/http/native/store/schema.ts';
import type {
  AvailableModel,
  Chains,
  CircuitBreakers,
  ConfigFindings,
  ConfigReload,
  ConfigStatus,
  CostEntry,
  CostSummary,
  DailyCosts,
  FoundModels,
  JobList,
  LiveState,
  LogLine,
  ModelList,
  PlanAnswer,
  PrivacyDay,
  ProviderTest,
  Pull,
  RateLimits,
  Setting,
  SuggestedModel,
} from '../../ui/src/api/types.ts';

/** The compiler looks at these; running them says nothing. */
describe('what the page expects of the server', () => {
  it('is what its schemas say', () => {
    expectTypeOf<z.infer<typeof liveState>>().toExtend<LiveState>();
    expectTypeOf<z.infer<typeof modelList>>().toExtend<ModelList>();
    expectTypeOf<z.infer<typeof planAnswer>>().toExtend<PlanAnswer>();
    expectTypeOf<z.infer<typeof pullList>>().toExtend<{ pulls: Pull[] }>();
    expectTypeOf<z.infer<typeof suggestedList>>().toExtend<{ models: SuggestedModel[] }>();
    expectTypeOf<z.infer<typeof foundList>>().toExtend<FoundModels>();
    expectTypeOf<z.infer<typeof availableList>>().toExtend<{ models: AvailableModel[] }>();
    expectTypeOf<z.infer<typeof entriesAnswer>>().toExtend<{ entries: CostEntry[]; total: number }>();
    expectTypeOf<z.infer<typeof privacyAnswer>>().toExtend<{ days: PrivacyDay[] }>();
    expectTypeOf<z.infer<typeof dailyAnswer>>().toExtend<DailyCosts>();
    expectTypeOf<z.infer<typeof summaryAnswer>>().toExtend<CostSummary>();
    expectTypeOf<z.infer<typeof circuitsAnswer>>().toExtend<CircuitBreakers>();
    expectTypeOf<z.infer<typeof limitsAnswer>>().toExtend<RateLimits>();
    expectTypeOf<z.infer<typeof chainList>>().toExtend<Chains>();
    expectTypeOf<z.infer<typeof testAnswer>>().toExtend<ProviderTest>();
    expectTypeOf<z.infer<typeof statusAnswer>>().toExtend<ConfigStatus>();
    expectTypeOf<z.infer<typeof reloadAnswer>>().toExtend<ConfigReload>();
    expectTypeOf<z.infer<typeof settingsAnswer>>().toExtend<{ settings: Setting[] }>();
    expectTypeOf<z.infer<typeof validateAnswer>>().toExtend<ConfigFindings>();
    expectTypeOf<z.infer<typeof jobList>>().toExtend<JobList>();
    expectTypeOf<z.infer<typeof linesAnswer>>().toExtend<{ lines: LogLine[] }>();
  });
});
