import mmvitkd
import torch, time
import numpy as np
def hist(r): return {k: v.data[0] for k,v in r.message_hub.log_scalars.items() if 'time' not in k}
def show(a,b):
    for k in a:
        x=a[k]; y=b.get(k)
        print(k, len(x), None if y is None else len(y), y is not None and len(x)==len(y) and np.array_equal(x,y, equal_nan=True))
def test_epoch(make_runner):
    t=time.time()
    r=make_runner('a', max_epochs=3); r.train(); print('T',time.time()-t)
    t=time.time()
    s=make_runner('a', max_epochs=3, resume=True, load_from=r.work_dir+'/epoch_2.pth'); s.train(); print('T',time.time()-t)
    show(hist(r),hist(s))
    print({k:torch.equal(a,b) for (k,a),b in zip(r.model.state_dict().items(), s.model.state_dict().values())})
def test_iter(make_runner):
    t=time.time()
    r=make_runner('a', max_iters=11, val_interval=3); r.train(); print('T',time.time()-t)
    t=time.time()
    s=make_runner('a', max_iters=11, val_interval=3, resume=True, load_from=r.work_dir+'/iter_6.pth'); s.train(); print('T',time.time()-t)
    show(hist(r),hist(s))
    print({k:torch.equal(a,b) for (k,a),b in zip(r.model.state_dict().items(), s.model.state_dict().values())})
def test_ema(make_runner):
    r=make_runner('a', max_epochs=3, custom_hooks=[dict(type='mmvitkd.StudentEMAHook')]); r.train()
