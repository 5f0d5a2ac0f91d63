import { runDialectContract } from '../dialect.contract.ts';
import { openaiResponsesDrivers } from '../drivers/openai-responses.ts';

for (const driver of openaiResponsesDrivers) runDialectContract(driver);
