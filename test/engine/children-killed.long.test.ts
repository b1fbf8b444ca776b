import { testAskedBack, testFailingLate } from "../support/crowd-killed.js";

testFailingLate(10_000);
testAskedBack(1_000);
