import { runDialectContract } from '../dialect.contract.ts';
import { ollamaDrivers } from '../drivers/ollama.ts';

for (const driver of ollamaDrivers) runDialectContract(driver);
