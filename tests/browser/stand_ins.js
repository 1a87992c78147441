/* Schematic stand-ins for the platform's own components: they show what a component is given,
   with its slots in place, and look nothing like the real ones. Written from the widgets'
   templates. */
(function () {
  ELEMENT.locale(ELEMENT.lang.en);
  Vue.use(ELEMENT);
  Vue.config.productionTip = false;
  Vue.config.devtools = false;
  window.sly = { packages: { lodash: _ } };
  window.pageErrors = [];
  Vue.config.errorHandler = function (error) {
    window.pageErrors.push(String(error));
    console.error(error);
  };

  Vue.component('sly-card', {
    props: ['title', 'subtitle', 'options', 'disabled', 'collapsed'],
    computed: {
      locked() { return !!(this.disabled && this.disabled.disabled); },
    },
    template: `
<div class="stand-in-card" :class="{ locked }">
  <div class="stand-in-card-head">
    <div><b>{{ title }}</b><div class="stand-in-subtitle">{{ subtitle }}</div></div>
    <slot name="header"></slot>
  </div>
  <div v-if="locked" class="stand-in-lock"><i class="zmdi zmdi-lock"></i> {{ disabled.message }}</div>
  <div v-show="!collapsed && !locked" class="stand-in-card-body"><slot></slot></div>
</div>`,
  });

  Vue.component('sly-field', {
    props: ['title', 'description'],
    template: `
<div class="stand-in-field">
  <div><slot name="icon"></slot> <b><slot name="title">{{ title }}</slot></b></div>
  <div class="stand-in-subtitle"><slot name="description">{{ description }}</slot></div>
  <slot></slot>
</div>`,
  });
  Vue.component('sly-icon', { props: ['options'], template: '<i :class="options.className"></i>' });

  Vue.component('sly-stepper', {
    props: ['active'],
    provide() { return { stepper: this }; },
    data() { return { items: [] }; },
    template: '<div class="stand-in-stepper"><slot></slot></div>',
  });
  Vue.component('sly-stepper-item', {
    props: ['name'],
    inject: ['stepper'],
    created() { this.stepper.items.push(this); },
    computed: {
      number() { return this.stepper.items.indexOf(this) + 1; },
      state() {
        if (this.number === this.stepper.active) return 'active';
        return this.number < this.stepper.active ? 'done' : 'waiting';
      },
    },
    template: `
<div class="stand-in-step" :class="state">
  <div class="stand-in-number">{{ state === 'done' ? '✓' : number }}</div>
  <div style="flex: 1; min-width: 0"><slot></slot></div>
</div>`,
  });

  Vue.component('sly-apexchart', {
    props: ['options', 'series', 'type', 'height', 'slyOptions'],
    mounted() { this.draw(); },
    watch: { series: { deep: true, handler() { this.draw(); } } },
    beforeDestroy() { if (this.chart) this.chart.destroy(); },
    methods: {
      draw() {
        const plain = JSON.parse(JSON.stringify(this.options));
        const options = Object.assign({}, plain, {
          chart: Object.assign({}, plain.chart,
            { type: this.type, height: this.height, animations: { enabled: false } }),
          series: JSON.parse(JSON.stringify(this.series)),
        });
        if (this.chart) this.chart.destroy();
        this.chart = new ApexCharts(this.$refs.chart, options);
        this.chart.render();
      },
    },
    template: '<div class="stand-in-chart"><div ref="chart"></div></div>',
  });

  Vue.component('sly-markdown', {
    props: ['data', 'options'],
    template: '<pre style="white-space: pre-wrap">{{ data }}</pre>',
  });
  Vue.component('sly-editor', {
    props: ['value', 'options'],
    template: `
<div><textarea :value="value" :readonly="options.readOnly" rows="16"
  style="width: 100%; font-family: monospace; box-sizing: border-box"
  @input="$emit('input', $event.target.value)"></textarea><slot name="controls"></slot></div>`,
  });
  Vue.component('sly-template-renderer', { template: '<div><slot></slot></div>' });
  Vue.component('sly-table', {
    props: ['content', 'options'],
    template: `
<table><tr><th v-for="name in content.columns">{{ Array.isArray(name) ? name.join(' ') : name }}</th></tr>
<tr v-for="row in content.data"><td v-for="cell in row.items || row">{{ cell }}</td></tr></table>`,
  });
  // Components that fetch their data from the instance themselves: a box with their name.
  ['sly-app-header', 'sly-select-app-session', 'sly-select-team-files', 'sly-task-logs',
    'sly-project-thumbnail', 'sly-dataset-thumbnail', 'sly-folder-thumbnail',
    'sly-report-thumbnail', 'sly-file-thumbnail', 'sly-select-dataset', 'sly-select-project',
    'sly-select-dataset-tree', 'sly-grid-gallery', 'sly-image-slider', 'sly-file-viewer',
    'sly-editor', 'sly-experiment-selector'].forEach(function (name) {
    if (!Vue.options.components[name]) {
      Vue.component(name, {
        inheritAttrs: false,
        template: '<div class="stand-in-box">‹' + name + '›<slot></slot></div>',
      });
    }
  });
})();
