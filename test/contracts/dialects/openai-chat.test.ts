import { runDialectContract } from '../dialect.contract.ts';
import { openaiChatDrivers } from '../drivers/openai-chat.ts';

for (const driver of openaiChatDrivers) runDialectContract(driver);
