import admin from "./admin.js";
import core from "./core.js";
import server from "./server.js";

/** Everything the console says in English; lang/vi has the same keys, and a test compares. */
export default { ...core, ...server, ...admin };
