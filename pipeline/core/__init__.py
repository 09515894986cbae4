"""The domain model, its rules and where it is stored; knows neither Gradio nor distilabel."""
