// Draws the internal API from its OpenAPI document.
"use strict";

const docs = document.getElementById("docs");

SwaggerUIBundle({
  domNode: docs,
  url: docs.dataset.document,
  // Keys stay in this page: nothing is kept in the browser, nothing is sent to a validator.
  persistAuthorization: false,
  validatorUrl: null,
  queryConfigEnabled: false,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
});
