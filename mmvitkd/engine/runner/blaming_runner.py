"""Build the parts of a run so that an error names the part of the config it is about."""

from typing import Any

from mmengine.runner import Runner

from ...config.schema.values import settings_of
from ..logging.tolerant_backend import tolerate
from .blame import blaming

# Hooks that MMEngine registers unless they are None.
REMOVABLE = (
    *('runtime_info', 'timer', 'sampler_seed', 'logger', 'param_scheduler', 'checkpoint'),
)


class BlamingRunner(Runner):  # type: ignore[misc]  # MMEngine is untyped
    """MMEngine's ``Runner``, whose errors in building a part say which one.

    ``custom_keys`` of the optimizer that match no parameter are logged.
    """

    def setup_env(self, env_cfg: Any) -> None:
        """Set the environment."""
        with blaming('env_cfg', env_cfg):
            super().setup_env(env_cfg)

    def set_randomness(self, *args: Any, **kwargs: Any) -> None:
        """Seed the random generators."""
        with blaming('randomness', kwargs):
            super().set_randomness(*args, **kwargs)

    def build_log_processor(self, log_processor: Any) -> Any:
        """Build what formats the log."""
        with blaming('log_processor', log_processor):
            return super().build_log_processor(log_processor)

    def build_visualizer(self, visualizer: Any = None) -> Any:
        """Build the visualizer, whose failures are warnings."""
        with blaming('visualizer', visualizer):
            built = super().build_visualizer(visualizer)
        tolerate(built)
        return built

    def build_model(self, model: Any) -> Any:
        """Build the model."""
        with blaming('model', None, self.cfg):
            return super().build_model(model)

    def wrap_model(self, model_wrapper_cfg: Any, model: Any) -> Any:
        """Wrap the model for several processes."""
        with blaming('model_wrapper_cfg', model_wrapper_cfg):
            return super().wrap_model(model_wrapper_cfg, model)

    def register_default_hooks(self, hooks: Any = None) -> None:
        """Register the default hooks; None leaves any of them out, not only MMEngine's."""
        named = (hooks or {}).items()
        hooks = {k: v for k, v in named if v is not None or k in REMOVABLE}
        super().register_default_hooks(hooks)

    def register_hook(self, hook: Any, priority: Any = None) -> None:
        """Build and add a hook."""
        with blaming(self._key_of(hook), hook):
            super().register_hook(hook, priority)

    def _key_of(self, hook: Any) -> str:
        """Return where a hook is in the config."""
        for key in ('default_hooks', 'custom_hooks'):
            for place, value in settings_of({key: self.cfg.get(key)}):
                if value is hook or (isinstance(hook, dict) and value == hook):
                    return place
        return 'custom_hooks'

    def _init_model_weights(self) -> None:
        with blaming('model', None, self.cfg):
            super()._init_model_weights()

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Build the optimizer."""
        if isinstance(optim_wrapper, dict):
            self._check_custom_keys(optim_wrapper)
        with blaming('optim_wrapper', optim_wrapper, self.cfg):
            return super().build_optim_wrapper(optim_wrapper)

    def _check_custom_keys(self, optim_wrapper: dict[str, Any]) -> None:
        """Warn of patterns that match no parameter."""
        patterns = (optim_wrapper.get('paramwise_cfg') or {}).get('custom_keys') or {}
        names = [f'.{name}' for name, _ in self.model.named_parameters()]
        for pattern in patterns:
            if not any(pattern in name for name in names):
                self.logger.warning(
                    f'optim_wrapper.paramwise_cfg.custom_keys[{pattern!r}]: no parameter of '
                    'the model has this in its name.'
                )

    def scale_lr(self, optim_wrapper: Any, auto_scale_lr: Any = None) -> None:
        """Scale the learning rate."""
        with blaming('auto_scale_lr', auto_scale_lr):
            super().scale_lr(optim_wrapper, auto_scale_lr)

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """Build the schedulers."""
        with blaming('param_scheduler', scheduler, self.cfg):
            return super().build_param_scheduler(scheduler)

    def build_train_loop(self, loop: Any) -> Any:
        """Build the training loop and its loader."""
        with blaming('train_cfg or train_dataloader', loop, self.cfg):
            return super().build_train_loop(loop)

    def build_val_loop(self, loop: Any) -> Any:
        """Build the validation loop, its loader and its metrics."""
        with blaming('val_cfg or val_dataloader', loop, self.cfg):
            return super().build_val_loop(loop)

    def build_test_loop(self, loop: Any) -> Any:
        """Build the test loop, its loader and its metrics."""
        with blaming('test_cfg or test_dataloader', loop, self.cfg):
            return super().build_test_loop(loop)

    def build_evaluator(self, evaluator: Any) -> Any:
        """Build metrics."""
        key = 'val_evaluator' if evaluator is self._val_evaluator else 'test_evaluator'
        with blaming(key, evaluator):
            return super().build_evaluator(evaluator)
