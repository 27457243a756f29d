// /redoc: Redoc, which reads the description as a reference. It is a module under a name with a
// hash, which the page knows.
const place = document.getElementById("docs");
const { init } = await import(place.dataset.module);
init("/openapi.json", { disableTelemetry: true }, place);
