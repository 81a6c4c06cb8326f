// What Python calls for each event, as functions of Python's own: ctypes takes longer than what they do.
#pragma once
#include <Python.h>

#include <utility>

namespace {

PyObject *call_write(PyObject *, PyObject *const *arguments, Py_ssize_t) {
    const int64_t now = PyLong_AsLongLong(arguments[0]);
    const uint64_t address = PyLong_AsUnsignedLongLong(arguments[1]), value = PyLong_AsUnsignedLongLong(arguments[2]);
    const int size = static_cast<int>(PyLong_AsLong(arguments[3]));
    if (PyErr_Occurred()) return nullptr;
    return PyBool_FromLong(bridge.mmio_write(now, address, value, size));
}

// The time of the next change, or -1 on an error.
PyObject *call_advance(PyObject *, PyObject *now) {
    const int64_t time = PyLong_AsLongLong(now);
    if (time == -1 && PyErr_Occurred()) return nullptr;
    return PyLong_FromLongLong(bridge.advance(time) ? bridge.status[kNextChange] : -1);
}

// The host time that is safe, or -1: there is an error, or will be one.
PyObject *call_run(PyObject *, PyObject *bound) {
    const int64_t time = PyLong_AsLongLong(bound);
    if (time == -1 && PyErr_Occurred()) return nullptr;
    if (bridge.status[kEffectCount] || bridge.status[kFailed]) return PyLong_FromLong(-1);
    if (bridge.status[kSafe] < time) {
        bridge.status[kBound] = time;
        model_run();
        if (bridge.status[kFailed]) return PyLong_FromLong(-1);
    }
    return PyLong_FromLongLong(bridge.status[kSafe]);
}

PyObject *call_take_effects(PyObject *, PyObject *) {
    const int64_t count = std::exchange(bridge.status[kEffectCount], int64_t{0});
    PyObject *list = PyList_New(count);
    for (int64_t i = 0; list && i < count; i++) {
        const Effect &effect = bridge.effects[static_cast<size_t>(i)];
        PyObject *item = Py_BuildValue("(KKK)", static_cast<unsigned long long>(effect.time),
                                       static_cast<unsigned long long>(effect.source), static_cast<unsigned long long>(effect.value));
        if (!item) {
            Py_DECREF(list);
            return nullptr;
        }
        PyList_SET_ITEM(list, i, item);
    }
    return list;
}

PyMethodDef calls[] = {
    {"write", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call_write)), METH_FASTCALL, nullptr},
    {"advance", call_advance, METH_O, nullptr},
    {"run", call_run, METH_O, nullptr},
    {"take_effects", call_take_effects, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast_nic", nullptr, -1, calls, nullptr, nullptr, nullptr, nullptr};

}  // namespace

extern "C" PyObject *model_calls() { return PyModule_Create(&module); }
