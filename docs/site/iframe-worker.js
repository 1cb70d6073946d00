// Browsers start no workers in pages that are opened from a folder, and the search is one. There, a
// hidden frame does its work, after the idea of iframe-worker by Martin Donath.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const inside = this.frame.contentWindow;
      inside.document.open();
      inside.document.write(`<body><script>
        postMessage = (data) => parent.postMessage(data, "*");
        importScripts = async (...urls) => {
          for (const url of urls)
            await new Promise((done) => {
              document.body.append(Object.assign(document.createElement("script"), { src: url, onload: done }));
            });
        };
      <\/script><script src="${url}"><\/script></body>`);
      inside.document.close();
      this.ready = new Promise((resolve) => inside.addEventListener("load", resolve));
      addEventListener("message", (event) => {
        if (event.source !== inside) return;
        this.dispatchEvent(new MessageEvent("message", { data: event.data }));
      });
    }
    async postMessage(data) {
      await this.ready;
      this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
    }
  };
}
