import { runDialectContract } from '../dialect.contract.ts';
import { anthropicDrivers } from '../drivers/anthropic.ts';

for (const driver of anthropicDrivers) runDialectContract(driver);
