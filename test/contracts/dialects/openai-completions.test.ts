import { runDialectContract } from '../dialect.contract.ts';
import { openaiCompletionsDrivers } from '../drivers/openai-completions.ts';

for (const driver of openaiCompletionsDrivers) runDialectContract(driver);
