/* A small shell in place of the platform's SlyApp.js: state and data are fetched once, then
   patched over the websocket; clicks post the whole state. */
(function () {
  function parts(path) {
    return path.split('/').slice(1).map(p => p.replace(/~1/g, '/').replace(/~0/g, '~'));
  }
  function patched(document_, patch) {
    const result = { root: JSON.parse(JSON.stringify(document_)) };
    patch.forEach(function (op) {
      const keys = ['root'].concat(parts(op.path));
      const last = keys.pop();
      const target = keys.reduce((value, key) => value[key], result);
      if (op.op === 'remove') {
        if (Array.isArray(target)) target.splice(Number(last), 1); else delete target[last];
      } else if (op.op === 'add' && Array.isArray(target)) {
        target.splice(last === '-' ? target.length : Number(last), 0, op.value);
      } else if (op.op === 'add' || op.op === 'replace') {
        target[last] = op.value;
      } else {
        throw new Error('unexpected patch: ' + JSON.stringify(op));
      }
    });
    return result.root;
  }

  Vue.component('sly-app', {
    data() { return { ready: false, state: {}, data: {} }; },
    async created() {
      const base = document.baseURI;
      const get = path => fetch(new URL(path, base), { method: 'POST' }).then(r => r.json());
      const socket = new WebSocket(new URL('sly/ws', base).href.replace(/^http/, 'ws'));
      const early = [];
      socket.onmessage = event => early.push(event);
      this.data = await get('sly/data');
      this.state = await get('sly/state');
      socket.onmessage = event => this.take(JSON.parse(event.data));
      document.getElementById('app-global-loading-icon').remove();
      this.ready = true;
      window.slyApp = { app: this };
    },
    methods: {
      take(message) {
        if (message.state) this.state = patched(this.state, message.state);
        if (message.data) this.data = patched(this.data, message.data);
        if (message.runAction) this.$root.$emit(message.runAction.action, message.runAction.payload);
      },
      async post(path, payload) {
        await this.$nextTick();  // a number of Element tells of a change before it makes it
        const answer = await fetch(new URL('.' + path, document.baseURI), {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ state: this.state, context: {}, payload: payload || {} }),
        });
        if (!answer.ok) window.pageErrors.push(path + ': ' + answer.status);
      },
    },
    template: `
<div v-if="ready">
  <slot :post="post" :state="state" :data="data" :session="null" :is-static-version="false"
        :public-api-instance="null"></slot>
</div>`,
  });
  new Vue({ el: '#sly-app' });
})();
