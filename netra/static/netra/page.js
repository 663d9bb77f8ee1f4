/** Loaded by `{% netra_client %}`: the client for scripts that cannot import it by its address. */

import * as client from "./netra-client.js";

window.netra = client;
