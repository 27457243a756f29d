// /docs: Swagger UI, which reads the description and can try a call out. Nothing leaves this server,
// and nobody's credentials are kept when the page is closed.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  docExpansion: "list",
  filter: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
