// The page's engine: this browser. What makes the page an application is registered here too.

export * from "./browser.js";

navigator.serviceWorker?.register(new URL("sw.js", import.meta.url)).catch(() => {
  // without https, or in a private window, the page works all the same, online
});
