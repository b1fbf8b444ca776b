import { testFailingLate } from "../support/crowd-killed.js";

testFailingLate(1_000);
