import admin from "./admin.js";
import core from "./core.js";
import server from "./server.js";

/** Everything the console says in Vietnamese. */
export default { ...core, ...server, ...admin };
