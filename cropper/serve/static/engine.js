// The page's engine: the service that it comes from. A site without one has a file in this place.

export * from "./api.js";
