import { eventStoreConformance } from '@tocsin/testing';
import { openLog } from './log.harness.js';

eventStoreConformance('the Postgres log', openLog);
