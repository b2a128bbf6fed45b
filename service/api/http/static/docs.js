"use strict";

window.addEventListener("load", () => {
  SwaggerUIBundle({
    url: document.getElementById("contract").href,
    dom_id: "#page",
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    docExpansion: "list",
    filter: false,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
});
