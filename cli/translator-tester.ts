/** The campaign's view of the tester for translators. */
export { testTranslator } from "../properties/translator.js";
