import { testRolledBack, testFailingLate } from "../support/crowd-killed.js";

testFailingLate(10_000);
testRolledBack(1_000);
