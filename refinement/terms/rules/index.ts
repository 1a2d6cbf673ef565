/** Registers every rule with its operator. The order is that in which they are tried. */
import { registerRules } from "../construct.js";
import type { Op } from "../term.js";
import {
  addRules,
  ashrRules,
  lshrRules,
  mulRules,
  sdivRules,
  shlRules,
  sremRules,
  udivRules,
  uremRules,
} from "./arithmetic.js";
import { bvandRules, bvnotRules, bvorRules, bvxorRules } from "./bitwise.js";
import { andRules, iffRules, notRules, orRules } from "./bool.js";
import { eqRules, sltRules, ultRules } from "./compare.js";
import { concatRules, extractRules, sextRules, zextRules } from "./concat.js";
import { foldRules } from "./fold.js";
import { iteRules } from "./ite.js";
import { accessibleRules, loadRules, selectRules, storeRules, writeRules } from "./memory.js";
import type { Rule } from "./rule.js";

const tables: readonly (readonly [Op, readonly Rule[]])[] = [
  ["not", notRules],
  ["and", andRules],
  ["or", orRules],
  ["eq", eqRules],
  ["eq", iffRules],
  ["ite", iteRules],
  ["ult", ultRules],
  ["slt", sltRules],
  ["bvnot", bvnotRules],
  ["bvand", bvandRules],
  ["bvor", bvorRules],
  ["bvxor", bvxorRules],
  ["add", addRules],
  ["mul", mulRules],
  ["udiv", udivRules],
  ["urem", uremRules],
  ["sdiv", sdivRules],
  ["srem", sremRules],
  ["shl", shlRules],
  ["lshr", lshrRules],
  ["ashr", ashrRules],
  ["concat", concatRules],
  ["extract", extractRules],
  ["zext", zextRules],
  ["sext", sextRules],
  ["select", selectRules],
  ["store", storeRules],
  ["load", loadRules],
  ["write", writeRules],
  ["accessible", accessibleRules],
];

for (const [op, rule] of foldRules) registerRules(op, [rule]);
for (const [op, rules] of tables) registerRules(op, rules);
