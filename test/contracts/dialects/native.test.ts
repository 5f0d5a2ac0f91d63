import { runDialectContract } from '../dialect.contract.ts';
import { nativeDrivers } from '../drivers/native.ts';

for (const driver of nativeDrivers) runDialectContract(driver);
